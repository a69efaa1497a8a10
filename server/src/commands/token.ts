import { readEnvironment } from '../config.ts'
import { type DemoTokenRequest, mintDemoToken } from '../demo.ts'

/** `bellhop token`: one demo access token and nothing else on standard output. */
export async function tokenCommand(request: DemoTokenRequest, out: NodeJS.WritableStream): Promise<void> {
  out.write(`${await mintDemoToken(readEnvironment(process.env), request)}\n`)
}
