import helmet from '@fastify/helmet'
import fastify, { type FastifyInstance } from 'fastify'

/** What the page is made of, by the path that it is served at. */
export type Page = ReadonlyMap<string, { type: string; bytes: Buffer }>

/**
 * `/openapi.json`, and `/docs`, a page that shows it and loads nothing from elsewhere.
 *
 * The page's script is 5 MB, which most processes never serve: it is loaded when the page is first asked for,
 * and kept once. What could not be loaded is tried again for who asks next.
 */
export function docsRoutes(document: object, load: () => Promise<Page> = loadPage) {
  const json = JSON.stringify(document)
  let page: Promise<Page> | null = null
  const pageOnce = () => {
    page ??= load().catch((error: unknown) => {
      page = null
      throw error
    })
    return page
  }
  return async (app: FastifyInstance): Promise<void> => {
    app.get('/openapi.json', (_request, reply) => reply.type('application/json; charset=utf-8').send(json))
    await app.register(helmet, HELMET)
    for (const url of Object.keys(PAGES)) {
      app.get(url, async (_request, reply) => {
        const part = (await pageOnce()).get(url)
        if (part === undefined) throw new Error('the page is not whole')
        return reply.type(part.type).send(part.bytes)
      })
    }
  }
}

/** What is served, and where the page has it. */
const PAGES = { '/docs': '/docs/', '/docs/': '/docs/', '/docs/js/scalar.js': '/docs/js/scalar.js' }

async function loadPage(): Promise<Page> {
  const { default: reference } = await import('@scalar/fastify-api-reference')
  const app: FastifyInstance = fastify()
  await app.register(reference, {
    routePrefix: '/docs',
    configuration: {
      url: '/openapi.json',
      cdn: '/docs/js/scalar.js',
      pageTitle: 'Bellhop API',
      withDefaultFonts: false,
      telemetry: false,
      hideClientButton: true,
      showDeveloperTools: 'never',
      orderSchemaPropertiesBy: 'preserve',
      authentication: { preferredSecurityScheme: 'bearer' },
      agent: { disabled: true },
      mcp: { disabled: true },
    },
  })
  try {
    return await partsOf(app)
  } finally {
    await app.close()
  }
}

/** @throws Error where a part is missing */
async function partsOf(app: FastifyInstance): Promise<Page> {
  const parts = new Map<string, { type: string; bytes: Buffer }>()
  for (const [url, inner] of Object.entries(PAGES)) {
    const { statusCode, headers, rawPayload } = await app.inject(inner)
    if (statusCode !== 200) throw new Error(`a part of the page answers ${statusCode}`)
    parts.set(url, { type: String(headers['content-type']), bytes: rawPayload })
  }
  return parts
}

const HELMET = {
  contentSecurityPolicy: {
    directives: {
      defaultSrc: ["'self'"],
      // The page starts its script inline, and the script makes its styles.
      scriptSrc: ["'self'", "'unsafe-inline'"],
      styleSrc: ["'self'", "'unsafe-inline'"],
      fontSrc: ["'self'", 'data:'],
      imgSrc: ["'self'", 'data:'],
      connectSrc: ["'self'"],
      frameAncestors: ["'none'"],
      upgradeInsecureRequests: null,
    },
  },
  // The page is served over http on a developer's machine too.
  strictTransportSecurity: false,
}
