import { AUTHOR_NAME_LIMIT } from '@bellhop/contract'

/**
 * What is wrong with the name of who answers, which the customer reads: it is one line of 1 to 200 characters. Beyond
 * that a name is as its bearer writes it, as the requester's is: marks of the direction of writing belong to names in
 * Arabic and Hebrew, and joiners to Persian ones. Whoever shows it keeps it apart from other words (`<bdi>`).
 * @returns what is expected of it; null where it is well
 */
export function faultOfAuthorName(name: string): string | null {
  if (name.trim() === '') return 'must not be empty'
  if ([...name].length > AUTHOR_NAME_LIMIT) return `must have at most ${AUTHOR_NAME_LIMIT} characters`
  return /[\p{Cc}\p{Zl}\p{Zp}]/u.test(name) ? 'must not contain control characters' : null
}
