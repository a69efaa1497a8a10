export { isMailbox } from './email.ts'
export { openapi } from './openapi.ts'
export { Attachment, ErrorAnswer, Message, NewTicket, Receipt, Ticket } from './ticket.ts'
export { checkNewTicket, type Fault } from './validation.ts'
