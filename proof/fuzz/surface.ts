import { Compile } from 'typebox/schema'

/** A JSON Schema as the document has it; what the fuzz reads of it. */
export type Schema = {
  type?: string
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  enum?: string[]
  maxItems?: number
  format?: string
  minLength?: number
  maxLength?: number
  pattern?: string
  $ref?: string
}

type Response = {
  description: string
  headers?: Record<string, unknown>
  content?: Record<string, { schema: Schema }>
}

export type Operation = {
  /** `POST /v1/support/tickets` */
  name: string
  method: string
  /** With its parameters in braces. */
  path: string
  /** Whether it asks for an access token. */
  secured: boolean
  /** Whether its answer is a stream of events, which has no HEAD. */
  streams: boolean
  /** Schema of the JSON body; null where it takes none. */
  body: Schema | null
  /** Schemas of the header parameters, by name. */
  headers: Record<string, Schema>
  answers: Map<number, DocumentedAnswer>
}

export type DocumentedAnswer = {
  /** Lower-case names of headers that are there. */
  headers: string[]
  /** Whether a JSON body is as its schema says; null where the document says nothing of a body. */
  holds: ((body: unknown) => boolean) | null
}

/** What a server's own document says of it; the fuzz knows no other schema. */
export type Surface = {
  operations: Operation[]
  /** Statuses that any request may meet, whatever it asks for. */
  anywhere: Set<number>
  /** The statuses of every error code that the document names. */
  codes: Map<string, Set<number>>
}

/** What the fuzz reads of an OpenAPI document. */
export type Document = {
  info: { description: string }
  paths: Record<string, Record<string, DocumentedOperation>>
  components: { schemas: Record<string, Schema> }
}

type DocumentedOperation = {
  description?: string
  security?: object[]
  parameters?: { name: string; in: string; schema: Schema }[]
  requestBody?: { content: Record<string, { schema: Schema }> }
  responses: Record<string, Response>
}

/** The call that files a ticket: it takes a body and is about no other one. */
export const FILING = 'POST /v1/support/tickets'

/** A path with a ticket in it; whatever else it names, the same. */
export function pathOf({ path }: Operation, ticketId: string): string {
  return path.replace(/\{\w+\}/g, ticketId)
}

export function readSurface(document: Document): Surface {
  const codes = new Map<string, Set<number>>()
  const learn = (code: string, status: number) => codes.set(code, (codes.get(code) ?? new Set()).add(status))
  const anywhere = new Set<number>()
  for (const [, code = '', status] of document.info.description.matchAll(/`(\w+)` \((\d{3})\)/g)) {
    learn(code, Number(status))
    // That there may be bugs is no leave to have them.
    if (Number(status) < 500) anywhere.add(Number(status))
  }
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      for (const [status, { description }] of Object.entries(operation.responses)) {
        for (const [, code = ''] of description.matchAll(/`(\w+)`/g)) learn(code, Number(status))
      }
      // `The codes of 400 are …; those of 403 are …`
      const text = operation.description ?? ''
      for (const [, status, list = ''] of text.matchAll(/(?:codes|those) of (\d{3}) are ([^;]*)/g)) {
        for (const [, code = ''] of list.matchAll(/`(\w+)`/g)) learn(code, Number(status))
      }
      return toOperation(document, method.toUpperCase(), path, operation)
    }),
  )
  return { operations, anywhere, codes }
}

function toOperation(
  document: Document,
  method: string,
  path: string,
  operation: DocumentedOperation,
): Operation {
  const answers = Object.entries(operation.responses).map(([status, response]) => {
    const schema = response.content?.['application/json']?.schema
    const headers = Object.keys(response.headers ?? {}).map((name) => name.toLowerCase())
    return [Number(status), { headers, holds: schema ? checkOf(document, schema) : null }] as const
  })
  const headers = (operation.parameters ?? []).filter((parameter) => parameter.in === 'header')
  return {
    name: `${method} ${path}`,
    method,
    path,
    secured: (operation.security ?? []).some((one) => 'bearer' in one),
    streams: operation.responses['200']?.content?.['text/event-stream'] !== undefined,
    body: operation.requestBody?.content['application/json']?.schema ?? null,
    headers: Object.fromEntries(headers.map(({ name, schema }) => [name, schema])),
    answers: new Map(answers),
  }
}

function checkOf(document: Document, schema: Schema): (body: unknown) => boolean {
  const name = schema.$ref?.split('/').at(-1)
  const resolved = name === undefined ? schema : document.components.schemas[name]
  if (resolved === undefined) throw new Error(`the document names a schema that it does not have: ${name}`)
  const validator = Compile(resolved as object)
  return (body) => validator.Check(body) && hasNoOther(resolved, body)
}

/** What a schema does not name is nothing that we answer. */
function hasNoOther(schema: Schema, value: unknown): boolean {
  if (Array.isArray(value))
    return value.every((item) => schema.items === undefined || hasNoOther(schema.items, item))
  if (typeof value !== 'object' || value === null || schema.properties === undefined) return true
  const { properties } = schema
  return Object.entries(value).every(([name, inner]) => {
    const of = properties[name]
    return of !== undefined && hasNoOther(of, inner)
  })
}
