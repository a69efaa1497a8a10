import { Resolver } from 'node:dns/promises'

/** Loaded before the server: it asks nobody outside this machine, and every name is one that is not there. */
Resolver.prototype.resolve = (async () => {
  throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })
}) as typeof Resolver.prototype.resolve
