import { isMailbox } from '@bellhop/contract'
import type { Brand } from '../config.ts'
import {
  addParticipant,
  clearAddress,
  correctAddress,
  hasBounced,
  removeParticipant,
} from '../conversation/people.store.ts'
import { lockOpenTicket } from '../conversation/status.ts'
import { countUnderWay, redirectWaiting } from '../deliveries/redirect.store.ts'
import { OperatorError } from '../errors.ts'
import { toId } from '../ids.ts'
import { brandAddresses } from '../inbound/own-mail.ts'
import { acknowledges, sameAddress } from '../mail/acknowledgement.ts'
import { comparableAddress } from '../mail/address.ts'
import { onOneLine } from './terminal-text.ts'
import { brandOfTicket, readId, ticketAt, withTickets } from './ticket-shell.ts'
import { readName } from './ticket-text.ts'

/** `bellhop ticket participant add ID ADDRESS`: they hear the answers, and may speak under this address. */
export async function addParticipantCommand(
  id: string,
  written: string,
  options: { name?: string },
  out: NodeJS.WritableStream,
): Promise<void> {
  const ticketId = readId('tkt', id)
  const address = readAddress(written)
  const name = readName(options.name)
  await withTickets(async (shell) => {
    const { sql, operator } = shell
    const ticket = await ticketAt(sql, ticketId)
    const brand = brandOfTicket(shell, ticket)
    refuseOwn(brand, address)
    if (sameAddress(ticket.requesterEmail, address))
      throw new OperatorError('The address is the requester’s, who hears every answer.')
    const what = { brandId: brand.id, ticketId, address, name, ...operator }
    const added = await sql.begin(async (tx) => {
      await lockOpenTicket(tx, brand.id, ticketId)
      return addParticipant(tx, what)
    })
    const mail = brand.mail === null ? `; brand ${onOneLine(brand.id)} has no mail, and sends none` : ''
    const hears = 'hears what is answered from now on, and may answer by mail from this address'
    out.write(`${onOneLine(address)} ${added ? hears : 'is a participant already'}${mail}.\n`)
  })
}

/** `bellhop ticket participant remove ID ADDRESS` */
export async function removeParticipantCommand(
  id: string,
  written: string,
  out: NodeJS.WritableStream,
): Promise<void> {
  const ticketId = readId('tkt', id)
  const address = readAddress(written)
  await withTickets(async ({ sql, operator }) => {
    const { brandId } = await ticketAt(sql, ticketId)
    const removed = await sql.begin((tx) =>
      removeParticipant(tx, { brandId, ticketId, address, ...operator }),
    )
    if (!removed) throw new OperatorError('The address is no participant’s of this ticket.')
    out.write(`${onOneLine(address)} hears no more of ${toId('tkt', ticketId)}.\n`)
  })
}

/** `bellhop ticket address clear ID [ADDRESS]`: mail goes again to an address that refused it. */
export async function clearAddressCommand(
  id: string,
  written: string | undefined,
  out: NodeJS.WritableStream,
): Promise<void> {
  const ticketId = readId('tkt', id)
  const named = written === undefined ? null : readAddress(written)
  await withTickets(async ({ sql, operator }) => {
    const { brandId, requesterEmail } = await ticketAt(sql, ticketId)
    const address = named ?? comparableAddress(requesterEmail)
    const cleared = await sql.begin((tx) => clearAddress(tx, { brandId, ticketId, address, ...operator }))
    if (!cleared) throw new OperatorError('No mail to this address of the brand was refused for good.')
    out.write(`Mail goes to ${onOneLine(address)} again, on every ticket of ${onOneLine(brandId)}.\n`)
    out.write('What was refused before is not sent again by itself: bellhop deliveries retry\n')
  })
}

/** `bellhop ticket address correct ID ADDRESS`: the requester's address is another one. */
export async function correctAddressCommand(
  id: string,
  written: string,
  options: { proven?: boolean },
  out: NodeJS.WritableStream,
): Promise<void> {
  const ticketId = readId('tkt', id)
  const address = readAddress(written)
  await withTickets(async (shell) => {
    const { sql, operator } = shell
    const ticket = await ticketAt(sql, ticketId)
    const brand = brandOfTicket(shell, ticket)
    refuseOwn(brand, address)
    if (sameAddress(ticket.requesterEmail, address))
      throw new OperatorError('The address is the requester’s already.')
    const { proven = false } = options
    const { bounced, redirected, underWay } = await sql.begin(async (tx) => {
      const locked = await lockOpenTicket(tx, brand.id, ticketId)
      await correctAddress(tx, { brandId: brand.id, ticketId, address, proven, ...operator })
      // Somebody is told of an answer once: the requester is no participant beside.
      await removeParticipant(tx, { brandId: brand.id, ticketId, address, ...operator })
      const from = comparableAddress(locked.requesterEmail)
      const redirected = await redirectWaiting(tx, {
        brandId: brand.id,
        ticketId,
        from,
        to: address,
        wholly: !brand.private && (brand.answers === 'always' || proven),
        acknowledges: acknowledges(brand, proven),
      })
      const underWay = await countUnderWay(tx, { brandId: brand.id, ticketId, from })
      return { bounced: await hasBounced(tx, brand.id, address), redirected, underWay }
    })
    out.write(`The answers of ${toId('tkt', ticketId)} go to ${onOneLine(address)} from now on.\n`)
    if (redirected > 0)
      out.write(`So ${redirected === 1 ? 'does 1 mail that waits' : `do ${redirected} mails that wait`}.\n`)
    if (underWay > 0)
      out.write(
        `Note: ${underWay === 1 ? 'a mail is' : `${underWay} mails are`} on the way to the old address. ` +
          'Where that fails, answer again.\n',
      )
    if (!proven && brand.answers === 'verified')
      out.write(
        'Only that there is one: nobody has proven the address. Where you know whose it is: --proven\n',
      )
    if (bounced) {
      const clear = `bellhop ticket address clear ${toId('tkt', ticketId)}`
      out.write(`Note: mail to this address was refused for good before, and none goes there: ${clear}\n`)
    }
  })
}

/** @returns the address as it is kept and compared */
function readAddress(written: string): string {
  if (!isMailbox(written)) throw new OperatorError('Expected an e-mail address, and nothing else')
  return comparableAddress(written)
}

/** Mail to itself would go in circles. */
function refuseOwn(brand: Brand, address: string): void {
  if (brandAddresses(brand).includes(address.toLowerCase()))
    throw new OperatorError('The address is the brand’s own.')
}
