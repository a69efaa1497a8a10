import type { FastifyInstance } from 'fastify'

/** Which methods a path has, for 405 and its Allow header (RFC 9110, section 15.5.6). */
export class RouteTable {
  readonly #routes = new Map<string, { pattern: RegExp; methods: Set<string> }>()

  /** Watches the routes that are registered from here on. */
  watch(app: FastifyInstance): void {
    app.addHook('onRoute', ({ url, method }) => {
      const route = this.#routes.get(url) ?? { pattern: toPattern(url), methods: new Set() }
      for (const name of [method].flat()) route.methods.add(name)
      this.#routes.set(url, route)
    })
  }

  /** @returns null where there is no such path */
  methodsOf(url: string): string[] | null {
    const path = url.split('?', 1)[0] ?? ''
    const methods = new Set<string>()
    for (const route of this.#routes.values()) {
      if (route.pattern.test(path)) for (const method of route.methods) methods.add(method)
    }
    return methods.size === 0 ? null : [...methods].sort()
  }
}

function toPattern(url: string): RegExp {
  const parts = url.split('/').map((part) => {
    if (part === '*') return '.*'
    return part.startsWith(':') ? '[^/]+' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  })
  return new RegExp(`^${parts.join('/')}$`)
}
