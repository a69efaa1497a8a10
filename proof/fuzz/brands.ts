import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ALGORITHM, AUDIENCE, BRANDS, ISSUER, ORIGIN, type People, SCOPE } from './persons.ts'

/** Tickets that a person of the brand with a limit may file in a minute. */
const LIMIT = 20

/** Brands whose desk is the built-in inbox: one more, one with a limit, and one that asks for a scope. */
export async function writeBrands(folder: string, { jwks }: People): Promise<string> {
  const brand = (id: string, more: object) => ({
    ...{ id, name: id, issuers: [ISSUER], tickets_per_minute: 0, origins: [ORIGIN] },
    desk: { connector: 'inbox' },
    ...more,
  })
  await writeFile(join(folder, 'jwks.json'), JSON.stringify(jwks))
  const path = join(folder, 'brands.yaml')
  // JSON is YAML.
  const file = {
    issuers: [{ issuer: ISSUER, audience: AUDIENCE, jwks_file: './jwks.json', algorithms: [ALGORITHM] }],
    brands: [
      brand(BRANDS.plain, {}),
      brand(BRANDS.other, {}),
      brand(BRANDS.limited, { tickets_per_minute: LIMIT }),
      brand(BRANDS.scoped, { required_scope: SCOPE }),
    ],
  }
  await writeFile(path, JSON.stringify(file, null, 2))
  return path
}
