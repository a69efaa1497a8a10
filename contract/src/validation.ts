import type { TSchema } from 'typebox'
import Format from 'typebox/format'
import { Compile } from 'typebox/schema'
import { NewDeskMessage } from './desk.ts'
import { isMailbox } from './email.ts'
import { NewMessage, NewTicket, TicketChange } from './ticket.ts'

// TypeBox's own `email` takes CR, LF and NUL in a quoted local part, and knows no length.
Format.Set('email', isMailbox)

/** What is wrong with one field: its path as a caller would write it, and what was expected there. */
export type Fault = { field: string; expected: string }

/** @returns the faults, of which none repeats a value; empty where the body is as the schema says */
export type Check = (body: unknown) => Fault[]

/**
 * A check of parsed bodies against a schema. Nothing is coerced or trimmed, and unknown fields are let be.
 */
export function checkOf(schema: TSchema): Check {
  const compiled = Compile(schema)
  return (body) => {
    if (compiled.Check(body)) return []
    return compiled.Errors(body)[1].flatMap((error) => {
      const field = error.instancePath.slice(1).replaceAll('/', '.')
      if (error.keyword === 'required') {
        const missing = (error.params as { requiredProperties: string[] }).requiredProperties
        return missing.map((name) => ({
          field: field === '' ? name : `${field}.${name}`,
          expected: 'is required',
        }))
      }
      return [{ field: field === '' ? 'the body' : field, expected: expectation(error) }]
    })
  }
}

/** Of `POST /v1/support/tickets`: a body without faults is a {@link NewTicket}. */
export const checkNewTicket: Check = checkOf(NewTicket)
/** A body without faults is a {@link NewMessage}. */
export const checkNewMessage: Check = checkOf(NewMessage)
/** A body without faults is a {@link NewDeskMessage}. */
export const checkNewDeskMessage: Check = checkOf(NewDeskMessage)
/** A body without faults is a {@link TicketChange}. */
export const checkTicketChange: Check = checkOf(TicketChange)

function expectation(error: { keyword: string; params: object }): string {
  switch (error.keyword) {
    case 'type':
      return `must be ${TYPES[String(Reflect.get(error.params, 'type'))] ?? 'of another type'}`
    case 'enum':
      return `must be one of ${(error.params as { allowedValues: unknown[] }).allowedValues.join(', ')}`
    case 'maxItems':
      return `must have at most ${Reflect.get(error.params, 'limit')} elements`
    case 'maxLength':
      return `must have at most ${Reflect.get(error.params, 'limit')} characters`
    case 'minLength':
      return 'must not be empty'
    case 'format':
      return 'must be an e-mail address (a Mailbox of RFC 5321)'
    default:
      return 'is not as the schema says'
  }
}

const TYPES: Record<string, string> = {
  object: 'an object',
  array: 'a list',
  string: 'a string',
  boolean: 'true or false',
}
