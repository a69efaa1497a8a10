import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { ImapFlow } from 'imapflow'
import { until } from '../../database/embedded/processes.ts'
import type { TestImapServer } from './imap-server.ts'

const PROGRAM = '/usr/sbin/dovecot'
const MAILBOX = 'Support'
/** Whose mails they are where the tests run as root, for whom Dovecot keeps none. */
const NOBODY = 65534

/** Is there a Dovecot on this machine? BELLHOP_TEST_DOVECOT=1 says that there must be one. */
export async function hasDovecot(): Promise<boolean> {
  const found = await access(PROGRAM).then(
    () => true,
    () => false,
  )
  if (!found && process.env.BELLHOP_TEST_DOVECOT === '1') throw new Error(`${PROGRAM} is not there`)
  return found
}

/** A Dovecot of our own, as this user, in a temporary folder and on a loopback port. */
export async function startDovecot(): Promise<TestImapServer> {
  const folder = await mkdtemp(join(tmpdir(), 'bellhop-dovecot-'))
  const port = await freePort()
  const { uid, gid } = userInfo()
  const owner = uid === 0 ? { uid: NOBODY, gid: NOBODY } : { uid, gid }
  await mkdir(join(folder, 'home'))
  await chmod(folder, 0o755)
  if (uid === 0) await chown(join(folder, 'home'), owner.uid, owner.gid)
  const config = join(folder, 'dovecot.conf')
  await writeFile(config, configuration(folder, port, owner, uid === 0 ? null : userInfo().username))
  const child = spawn(PROGRAM, ['-F', '-c', config], { stdio: ['ignore', 'ignore', 'inherit'] })
  const ended = once(child, 'close')
  const settings = {
    host: '127.0.0.1',
    port,
    secure: false,
    requireTls: false,
    user: 'support',
    pass: 'secret',
    mailbox: MAILBOX,
  }

  /** On a connection of its own, as a person's mail program would. */
  async function visit<T>(work: (client: ImapFlow) => Promise<T>): Promise<T> {
    const client = new ImapFlow({
      ...settings,
      auth: { user: settings.user, pass: settings.pass },
      logger: false,
      disableAutoIdle: true,
    })
    client.on('error', () => {})
    await client.connect()
    try {
      return await work(client)
    } finally {
      await client.logout()
    }
  }

  try {
    await until(() =>
      visit(async (client) => {
        await client.mailboxCreate(MAILBOX)
        return true
      }).catch(() => false),
    )
  } catch (error) {
    child.kill('SIGTERM')
    const said = await readFile(join(folder, 'log'), 'utf8').catch(() => 'no log')
    await rm(folder, { recursive: true, force: true })
    throw new Error(said, { cause: error })
  }
  const mails: Buffer[] = []
  return {
    settings,
    async append(raw) {
      mails.push(raw)
      await visit((client) => client.append(MAILBOX, raw))
    },
    async removeFirst() {
      mails.shift()
      await visit(async (client) => {
        await client.mailboxOpen(MAILBOX)
        await client.messageDelete('1')
      })
    },
    async reset() {
      await visit(async (client) => {
        await client.mailboxDelete(MAILBOX)
        await client.mailboxCreate(MAILBOX)
      })
      for (const raw of mails) {
        await until(() => visit((client) => client.append(MAILBOX, raw)).catch(notYet))
      }
    },
    count: () =>
      visit(async (client) => {
        const status = await client.status(MAILBOX, { messages: true, unseen: true })
        if (status === false) throw new Error('there is no such mailbox')
        return { messages: status.messages ?? -1, unseen: status.unseen ?? -1 }
      }),
    async close() {
      child.kill('SIGTERM')
      await ended
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Dovecot may take a mailbox that was made anew for the deleted one, which a session that reads it still has open. */
function notYet(error: unknown): false {
  const said = error instanceof Error && 'responseText' in error ? error.responseText : undefined
  if (typeof said !== 'string' || !said.startsWith('Mailbox was deleted under us')) throw error
  return false
}

function configuration(
  folder: string,
  port: number,
  owner: { uid: number; gid: number },
  user: string | null,
): string {
  // Without root, every process runs as this user, and none in a cage of its own.
  const asUser =
    user === null
      ? ''
      : `default_internal_user = ${user}
default_login_user = ${user}
default_internal_group = ${execFileSync('id', ['-gn'], { encoding: 'utf8' }).trim()}
service anvil {
  chroot =
}
`
  return `protocols = imap
listen = 127.0.0.1
base_dir = ${folder}/run
state_dir = ${folder}/state
log_path = ${folder}/log
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:~/mail
mail_fsync = never
${asUser}passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=${owner.uid} gid=${owner.gid} home=${folder}/home/%u
}
service imap-login {
  chroot =
  inet_listener imap {
    address = 127.0.0.1
    port = ${port}
  }
  inet_listener imaps {
    port = 0
  }
}
`
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
