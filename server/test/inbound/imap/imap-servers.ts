import { hasDovecot, startDovecot } from './dovecot.ts'
import { startHoodiecrow } from './hoodiecrow.ts'
import type { TestImapServer } from './imap-server.ts'

export const SERVERS: { name: string; start: () => Promise<TestImapServer> }[] = [
  { name: 'hoodiecrow', start: () => startHoodiecrow() },
]
// Of two kinds of servers, one is always there. `.ci/run` installs the other and says that it must be.
if (await hasDovecot()) SERVERS.push({ name: 'Dovecot', start: startDovecot })
else process.stderr.write('IMAP: tested on hoodiecrow alone, since there is no Dovecot on this machine\n')
