import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

// As `npm start` has it: every file's process, and the programs that it starts, load the same modules.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, 'node_modules/.cache/bellhop')

export default defineConfig({
  test: {
    include: ['server/test/**/*.test.ts', 'contract/test/**/*.test.ts', 'proof/test/**/*.test.ts'],
    globalSetup: ['server/test/global-setup.ts'],
    // Real processes, not threads: some tests send signals, and a leaked handle is one file's fault alone.
    pool: 'forks',
    // One more than the cores, since a test waits half of its time; vitest's own is one fewer, which of two leaves one.
    // Not without end: the shared PostgreSQL has 300 connections.
    maxWorkers: Math.min(availableParallelism() + 1, 12),
    // What is bounded says so itself; this is for what hangs, on a machine that is busy with all of them.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
