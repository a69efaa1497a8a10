/** The parts that the tests use, as version 2.1.0 has them. */
declare module 'hoodiecrow-imap' {
  import type { Server } from 'node:net'

  export type Message = { uid: number; flags: string[]; internaldate: string; raw: string }
  export type Mailbox = { uidvalidity: number; uidnext: number; messages: Message[] }
  export type Connection = {
    state: string
    socket: { write(text: string): void; once(event: 'close', listener: () => void): void } | null
    inputHandler: ((line: string) => void) | false
    directNotifications: boolean
    processNotifications(): void
    send(response: object, description: string, parsed: object, data: string): void
  }
  export type Command = (
    connection: Connection,
    parsed: { tag: string; attributes?: { value?: string }[] },
    data: string,
    callback: () => void,
  ) => void
  export type ImapServer = {
    server: Server
    connectionHandlers: ((connection: Connection) => void)[]
    getMailbox(path: string): Mailbox
    appendMessage(mailbox: Mailbox, flags: string[], internaldate: Date, raw: string): void
    registerCapability(keyword: string): void
    getCommandHandler(command: string): Command
    setCommandHandler(command: string, handler: Command): void
    listen(port: number, host: string, callback: () => void): void
  }
  export default function hoodiecrow(options: {
    plugins: (string | ((server: ImapServer) => void))[]
    users: Record<string, { password: string }>
    storage: Record<string, unknown>
  }): ImapServer
}
