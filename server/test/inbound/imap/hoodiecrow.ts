import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import hoodiecrow, { type ImapServer } from 'hoodiecrow-imap'
import type { TestImapServer } from './imap-server.ts'

const MAILBOX = 'Support'

/** @param refuses the UIDs of mails that it has and gives to nobody */
export async function startHoodiecrow(refuses: Set<number> = new Set()): Promise<TestImapServer> {
  const imap = hoodiecrow({
    plugins: ['ID', 'NAMESPACE', 'SASL-IR', 'AUTH-PLAIN', idle, refuse(refuses)],
    users: { support: { password: 'secret' } },
    storage: { INBOX: {}, '': { folders: { [MAILBOX]: { uidvalidity: 1000 } } } },
  })
  const sockets = new Set<Socket>()
  imap.server.on('connection', (socket: Socket) => {
    socket.setNoDelay()
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  imap.listen(0, '127.0.0.1', () => {})
  await once(imap.server, 'listening')
  const mailbox = () => imap.getMailbox(MAILBOX)
  const settings = {
    host: '127.0.0.1',
    port: (imap.server.address() as AddressInfo).port,
    secure: false,
    requireTls: false,
    user: 'support',
    pass: 'secret',
    mailbox: MAILBOX,
  }
  return {
    settings,
    async append(raw) {
      imap.appendMessage(mailbox(), [], new Date(), raw.toString('latin1'))
    },
    async removeFirst() {
      mailbox().messages.shift()
    },
    async reset() {
      const box = mailbox()
      box.uidvalidity++
      box.uidnext = 1
      for (const message of box.messages) message.uid = box.uidnext++
    },
    async count() {
      const { messages } = mailbox()
      const unseen = messages.filter(({ flags }) => !flags.includes('\\Seen')).length
      return { messages: messages.length, unseen }
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      imap.server.close()
      await once(imap.server, 'close')
    },
  }
}

/** IDLE (RFC 2177). Its own keeps a timer for half an hour when a connection breaks, and goes on telling after DONE. */
function idle(server: ImapServer): void {
  server.registerCapability('IDLE')
  server.setCommandHandler('IDLE', (connection, parsed, data, callback) => {
    connection.directNotifications = true
    connection.inputHandler = (line) => {
      connection.inputHandler = false
      connection.directNotifications = false
      const done = line.toUpperCase() === 'DONE'
      const text = { type: 'TEXT', value: done ? 'IDLE terminated' : 'Expected DONE' }
      connection.send(
        { tag: parsed.tag, command: done ? 'OK' : 'BAD', attributes: [text] },
        'IDLE',
        parsed,
        data,
      )
    }
    connection.socket?.write('+ idling\r\n')
    connection.processNotifications()
    callback()
  })
}

/** A mail that the server cannot read itself: it says NO, as Exchange does. */
function refuse(uids: Set<number>) {
  return (server: ImapServer): void => {
    const fetch = server.getCommandHandler('UID FETCH')
    server.setCommandHandler('UID FETCH', (connection, parsed, data, callback) => {
      const [asked, items] = parsed.attributes ?? []
      const wantsBytes = JSON.stringify(items).includes('BODY')
      if (!wantsBytes || !uids.has(Number(asked?.value))) {
        fetch(connection, parsed, data, callback)
        return
      }
      const text = { type: 'TEXT', value: 'The requested message could not be converted' }
      connection.send({ tag: parsed.tag, command: 'NO', attributes: [text] }, 'UID FETCH', parsed, data)
      callback()
    })
  }
}
