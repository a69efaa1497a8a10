/**
 * The one reader of the environment and the brands file.
 */
import type { BrandsFile } from './config/brands.ts'
import { readBrandsFile } from './config/brands-file.ts'
import { type Environment, readEnvironment } from './config/environment.ts'
import { isLoopbackHost } from './config/web-address.ts'
import { demoBrands } from './demo.ts'
import { OperatorError } from './errors.ts'

export type * from './config/brands.ts'
export { readBrandsFile } from './config/brands-file.ts'
export {
  type Backups,
  type Environment,
  type Limits,
  type LogLevel,
  readEnvironment,
} from './config/environment.ts'
export type { TemplateKind, TemplateValue } from './config/template-check.ts'
export { isCallableUrl, isLoopbackHost } from './config/web-address.ts'

/** `demo`: the brands are the demo brands, because no brands file is named. */
export type Config = { environment: Environment; brands: BrandsFile; demo: boolean }

/**
 * Everything that a server is told from outside. Without a brands file it makes the demo issuer's key in
 * DATA_DIR, if it is not there yet.
 * @throws OperatorError with every mistake of the environment, or else of the brands file
 */
export async function loadConfig(env: NodeJS.ProcessEnv): Promise<Config> {
  const environment = readEnvironment(env)
  if (environment.brandsFile !== null) {
    return { environment, brands: await readBrandsFile(environment.brandsFile, env), demo: false }
  }
  if (!isLoopbackHost(environment.host)) {
    throw new OperatorError(
      'HOST: expected a loopback address (127.0.0.1, ::1, localhost) while BRANDS_FILE is unset, since anyone who can run `bellhop token` here speaks for the demo brands',
    )
  }
  return { environment, brands: await demoBrands(environment.dataDir), demo: true }
}
