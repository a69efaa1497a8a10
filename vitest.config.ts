import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['server/test/**/*.test.ts', 'contract/test/**/*.test.ts', 'bench/test/**/*.test.ts'],
    globalSetup: ['server/test/global-setup.ts'],
    // Real processes, not threads: some tests send signals, and a leaked handle is one file's fault alone.
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
