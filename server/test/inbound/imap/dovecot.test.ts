import { describe } from 'vitest'
import { itIsReadWhole } from './a-mailbox.ts'
import { hasDovecot, startDovecot } from './dovecot.ts'

describe.skipIf(!(await hasDovecot()))('a mailbox on Dovecot', () => itIsReadWhole(startDovecot))
