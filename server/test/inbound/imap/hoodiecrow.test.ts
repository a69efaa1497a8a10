import { describe } from 'vitest'
import { itIsReadWhole } from './a-mailbox.ts'
import { startHoodiecrow } from './hoodiecrow.ts'

describe('a mailbox on hoodiecrow', () => itIsReadWhole(() => startHoodiecrow()))
