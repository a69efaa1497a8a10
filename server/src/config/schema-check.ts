import Type, { type TArray, type TObject, type TSchema, type TUnion } from 'typebox'
import { Check } from 'typebox/schema'
import { isMap, type Mistake, type Path } from './mistakes.ts'
import { UNSET } from './substitution.ts'

/**
 * Holds a value against a schema and tells every mistake in the schema's own words (`expected`). TypeBox's
 * own list of errors ends after eight, and speaks of each branch of a union.
 */
export function checkSchema(schema: TSchema, value: unknown, path: Path, mistakes: Mistake[]): void {
  if (value === UNSET) return
  if (Type.IsObject(schema)) checkMap(schema, value, path, mistakes)
  else if (Type.IsUnion(schema) && discriminatorOf(schema) !== null) checkUnion(schema, value, path, mistakes)
  else if (Type.IsArray(schema)) checkList(schema, value, path, mistakes)
  else if (!Check(schema, value)) mistakes.push({ path, sentence: `expected ${expectedOf(schema)}` })
}

function checkList(schema: TArray, value: unknown, path: Path, mistakes: Mistake[]): void {
  const least: unknown = Reflect.get(schema, 'minItems')
  if (!Array.isArray(value) || (typeof least === 'number' && value.length < least)) {
    mistakes.push({ path, sentence: `expected ${expectedOf(schema)}` })
    return
  }
  for (const [index, item] of value.entries()) checkSchema(schema.items, item, [...path, index], mistakes)
}

function checkMap(schema: TObject, value: unknown, path: Path, mistakes: Mistake[]): void {
  const known = Object.keys(schema.properties)
  if (!isMap(value)) {
    mistakes.push({ path, sentence: `expected a map with ${known.join(', ')}` })
    return
  }
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) mistakes.push({ path: [...path, key], sentence: unknownKey(key, known) })
  }
  for (const [key, property] of Object.entries(schema.properties)) {
    if (Object.hasOwn(value, key)) checkSchema(property, value[key], [...path, key], mistakes)
    else if (!Type.IsOptional(property)) {
      mistakes.push({ path: [...path, key], sentence: `missing, expected ${expectedOf(property)}` })
    }
  }
}

function unknownKey(key: string, known: string[]): string {
  if (key === '<<') return 'merge keys (<<) are not read, expected the settings written out'
  return `unknown key, expected one of ${known.join(', ')}`
}

/** One key says which of the union's maps is meant, so that only that one's mistakes are told. */
function checkUnion(schema: TUnion, value: unknown, path: Path, mistakes: Mistake[]): void {
  const key = discriminatorOf(schema) ?? ''
  const chosen = isMap(value) && Object.hasOwn(value, key) ? value[key] : undefined
  const variant = schema.anyOf.find((variant) => {
    const property = Type.IsObject(variant) ? variant.properties[key] : undefined
    return property !== undefined && Check(property, chosen)
  })
  if (variant !== undefined) checkSchema(variant, value, path, mistakes)
  else if (!isMap(value)) mistakes.push({ path, sentence: `expected ${expectedOf(schema)}` })
  else if (chosen !== UNSET) {
    mistakes.push({ path: [...path, key], sentence: `expected ${annotation(schema, 'expected')}` })
  }
}

function discriminatorOf(schema: TSchema): string | null {
  return annotation(schema, 'discriminator')
}

function expectedOf(schema: TSchema): string {
  const discriminator = discriminatorOf(schema)
  if (discriminator !== null) return `a map with the key ${discriminator}`
  if (Type.IsObject(schema)) return `a map with ${Object.keys(schema.properties).join(', ')}`
  return annotation(schema, 'expected') ?? 'another value'
}

function annotation(schema: TSchema, name: string): string | null {
  const value: unknown = Reflect.get(schema, name)
  return typeof value === 'string' ? value : null
}
