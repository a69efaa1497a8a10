import { spawn } from 'node:child_process'
import type { ServerUser } from './server-user.ts'

/** What PostgreSQL's programs find in their environment: nothing of PG*, nothing of the operator's locale. */
export const ENVIRONMENT = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }

export type Ended = { status: number | null; output: string }

/** What a program printed is kept up to here. */
const OUTPUT_LIMIT = 4000

/**
 * Runs one of PostgreSQL's programs to its end.
 * @param password an open file that the program reads as its file 3
 * @throws the system's error where it cannot be started
 */
export async function run(
  program: string,
  args: string[],
  options: { user: ServerUser; cwd?: string; password?: number; timeout: number },
): Promise<Ended> {
  const child = spawn(program, args, {
    ...options.user,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: ENVIRONMENT,
    stdio: ['ignore', 'pipe', 'pipe', ...(options.password === undefined ? [] : [options.password])],
    timeout: options.timeout,
    killSignal: 'SIGKILL',
  })
  let output = ''
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-OUTPUT_LIMIT)
  }
  child.stdout?.on('data', keep)
  child.stderr?.on('data', keep)
  const { promise, resolve, reject } = Promise.withResolvers<number | null>()
  child.once('error', reject)
  child.once('close', resolve)
  return { status: await promise, output }
}
