export { AUTHOR_NAME_LIMIT, NewDeskMessage } from './desk.ts'
export { isMailbox } from './email.ts'
export { openapi } from './openapi.ts'
export {
  ATTACHMENTS_LIMIT,
  Attachment,
  DeliveryReceipt,
  ErrorAnswer,
  InboundReceipt,
  Message,
  NewAttachment,
  NewMessage,
  NewTicket,
  Receipt,
  Speaker,
  Ticket,
  TicketChange,
  TicketPage,
  TicketSummary,
} from './ticket.ts'
export {
  type Check,
  checkNewDeskMessage,
  checkNewMessage,
  checkNewTicket,
  checkOf,
  checkTicketChange,
  type Fault,
} from './validation.ts'
