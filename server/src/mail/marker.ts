/**
 * The first line of every mail of ours that a person may answer. What a mail program quotes begins with it, so a
 * reader cuts an answer there before anything else is tried.
 *
 * It is plain ASCII, so that no encoding on the way changes it, and it is never translated.
 */
export const MARKER = '-- Please reply above this line --'
