import helmet from '@fastify/helmet'
import fastify, { type FastifyInstance } from 'fastify'

/**
 * `/openapi.json`, and `/docs`, a page that shows it and loads nothing from elsewhere.
 *
 * The page's script is 5 MB, which most processes never serve: it is loaded when the page is first asked for,
 * as a small server of its own inside this one.
 */
export function docsRoutes(document: object) {
  const json = JSON.stringify(document)
  let page: Promise<FastifyInstance> | null = null
  return async (app: FastifyInstance): Promise<void> => {
    app.get('/openapi.json', (_request, reply) => reply.type('application/json; charset=utf-8').send(json))
    await app.register(helmet, HELMET)
    for (const [url, inner] of Object.entries(PAGES)) {
      app.get(url, async (_request, reply) => {
        page ??= loadPage()
        const { headers, rawPayload } = await (await page).inject(inner)
        return reply.type(String(headers['content-type'])).send(rawPayload)
      })
    }
  }
}

/** What is served, and where the page has it. */
const PAGES = { '/docs': '/docs/', '/docs/': '/docs/', '/docs/js/scalar.js': '/docs/js/scalar.js' }

async function loadPage(): Promise<FastifyInstance> {
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
  return app
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
