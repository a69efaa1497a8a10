import helmet from '@fastify/helmet'
import reference from '@scalar/fastify-api-reference'
import type { FastifyInstance } from 'fastify'
import { AppError } from '../errors.ts'

/** `/openapi.json`, and `/docs`, a page that shows it and loads nothing from elsewhere. */
export function docsRoutes(document: object) {
  const json = JSON.stringify(document)
  return async (app: FastifyInstance): Promise<void> => {
    app.get('/openapi.json', (_request, reply) => reply.type('application/json; charset=utf-8').send(json))

    await app.register(helmet, {
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
    })
    await app.register(reference, {
      routePrefix: '/docs',
      hooks: {
        // The page's redirect is made from the Host header.
        onRequest: (request, _reply, done) => {
          const valid = URL.canParse(request.url, `http://${request.host}`)
          done(valid ? undefined : new AppError('bad_request', 'The Host header is not a host.'))
        },
      },
      configuration: {
        url: '/openapi.json',
        pageTitle: 'Bellhop API',
        withDefaultFonts: false,
        telemetry: false,
        hideClientButton: true,
        agent: { disabled: true },
        mcp: { disabled: true },
      },
    })
  }
}
