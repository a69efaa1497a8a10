import type { Log } from '../../log.ts'
import type { IssuerCall } from './issuer-call.ts'

/**
 * Says when an issuer no longer answers as it should, and when it does again: a line for each change and each
 * kind of question, not for each question.
 */
export function logIssuers(log: Log): (call: IssuerCall) => void {
  // Issuers are those of the brands file, and the questions are three.
  const failing = new Set<string>()
  return ({ issuer, about, fault, status }) => {
    const question = `${about} ${issuer}`
    if (fault !== null) {
      if (failing.has(question)) return
      failing.add(question)
      log.warn('issuer_call_failed', { issuer, about, code: fault, ...(status === null ? {} : { status }) })
      return
    }
    // That a document is elsewhere is an answer, and does not say yet that all is well.
    if (status !== 200 || !failing.delete(question)) return
    log.info('issuer_answers', { issuer, about })
  }
}
