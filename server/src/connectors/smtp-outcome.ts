import { attemptResult } from './attempt-result.ts'
import type { AttemptResult } from './connector.ts'
import { networkFault } from './network-fault.ts'
import { readRefusal } from './smtp-refusal.ts'
import type { SmtpFault } from './smtp-session.ts'

/**
 * What a failed attempt by SMTP means.
 *
 * | what happened | outcome |
 * | --- | --- |
 * | 4xx, no connection, a break before the message's end | `retry` |
 * | 5xx to RCPT, DATA or the message's end; 552 to MAIL; larger than the server's SIZE | `permanent` |
 * | any other 5xx, authentication, TLS | `retry`, with an alarm: the operator has something to mend |
 * | 4xx or 5xx to RCPT that speaks of our host or sender | `retry` or `permanent`, with an alarm |
 * | a break, or no readable answer, after the message's end | `uncertain` |
 */
export function smtpOutcome(fault: SmtpFault): AttemptResult {
  const { reason, stage, stopped } = fault
  if (stopped !== null) return attemptResult(stage === 'after_end' ? 'uncertain' : 'retry', stopped)
  const command = reason?.command ?? ''
  const reply = replyCode(reason?.responseCode)
  const answer = reason?.response ?? null
  if (stage === 'after_end') {
    // Only a whole reply to the message's end says what became of it.
    if (reason?.code !== 'EMESSAGE') return uncertain(reason?.timeoutType !== undefined, answer)
    if (reply === null) return attemptResult('uncertain', 'protocol_error', { answer })
    if (reply >= 400 && reply < 600) return refused(reply < 500 ? 'retry' : 'permanent', reply, answer)
    return attemptResult('uncertain', `smtp_${reply}`, { answer })
  }
  if (reason?.code === 'EMESSAGE' && command === 'MAIL FROM')
    return attemptResult('permanent', 'message_too_large')
  if (reason?.code === 'ETLS') return attemptResult('retry', 'tls_failed', { answer, alarm: true })
  if (reply !== null && reply >= 500 && !isPermanent(command, reply)) {
    const code = isAuthentication(reason?.code, reply) ? 'authentication_failed' : `smtp_${reply}`
    return attemptResult('retry', code, { answer, alarm: true })
  }
  if (reply !== null) {
    const result = refused(reply < 500 ? 'retry' : 'permanent', reply, answer)
    return command === 'RCPT TO' && reply >= 400 ? refusedRecipient(result, reply) : result
  }
  if (reason?.code === 'EAUTH') return attemptResult('retry', 'authentication_failed', { alarm: true })
  if (reason?.code === 'EPROTOCOL' || reason?.code === 'EENVELOPE' || reason?.code === 'EMESSAGE') {
    // What answers there does not speak SMTP: most likely the port of something else.
    return attemptResult('retry', 'protocol_error', { answer, alarm: stage === 'opening' })
  }
  switch (reason?.timeoutType) {
    case 'CONNECT_TIMEOUT':
      return attemptResult('retry', 'connection_timeout')
    case 'GREETING_TIMEOUT':
      return attemptResult('retry', 'greeting_timeout')
    case 'UPGRADE_TIMEOUT':
      return attemptResult('retry', 'tls_timeout')
    case 'SOCKET_TIMEOUT':
      return attemptResult('retry', 'answer_timeout')
    default: {
      const { code, alarm } = networkFault(reason?.originalCode ?? reason?.code)
      return attemptResult('retry', code, { alarm })
    }
  }
}

/** A reply code of SMTP; a server may write any number (RFC 5321, section 4.2.1). */
function replyCode(code: number | undefined): number | null {
  return code !== undefined && code >= 200 && code < 600 ? code : null
}

function refused(outcome: 'retry' | 'permanent', reply: number, answer: string | null): AttemptResult {
  return attemptResult(outcome, `smtp_${reply}`, { answer })
}

/** A refused recipient, with whom the refusal is about. */
function refusedRecipient(result: AttemptResult, reply: number): AttemptResult {
  const about = readRefusal(reply, result.answer ?? '')
  return {
    ...result,
    alarm: about.ofOperator,
    ...(about.addressRefused ? { addressRefused: true } : {}),
    ...(about.ofRecipient ? { ofRecipient: true } : {}),
  }
}

function uncertain(timeout: boolean, answer: string | null): AttemptResult {
  return attemptResult('uncertain', timeout ? 'answer_timeout' : 'connection_lost_after_data', { answer })
}

/**
 * RFC 5321, section 4.2.1: 5xx is final, but only about what it answers. To the greeting, EHLO or MAIL it
 * speaks of us and not of this message; 552 to MAIL is about its size (RFC 1870).
 */
function isPermanent(command: string, reply: number): boolean {
  if (isAuthentication(undefined, reply)) return false
  return command === 'RCPT TO' || command === 'DATA' || (command === 'MAIL FROM' && reply === 552)
}

/** RFC 4954, section 6: these may answer any command, and say that we are not who the server wants. */
function isAuthentication(code: string | undefined, reply: number): boolean {
  return code === 'EAUTH' || reply === 530 || reply === 534 || reply === 535 || reply === 538
}
