import type { Attributes } from '@opentelemetry/api'

/** Something that took time, told once it is over: ids, codes and routes only, as in the log. */
export type Traced = {
  name: string
  kind: 'request' | 'attempt'
  /** How long it took until now, in milliseconds. */
  ms: number
  attributes: Attributes
  failed: boolean
  /** The caller's `traceparent`, where it is well-formed. */
  traceparent?: string | undefined
}

export type Tracing = {
  record(traced: Traced): void
  close(): Promise<void>
}

const OFF: Tracing = { record: () => {}, close: async () => {} }

/**
 * Traces by OpenTelemetry, as its environment says: on where OTEL_EXPORTER_OTLP_ENDPOINT or
 * OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set, off where OTEL_SDK_DISABLED is `true` or OTEL_TRACES_EXPORTER is
 * `none`. The libraries are loaded only where it is on. Sent as OTLP over HTTP (protobuf), in batches, behind
 * the requests.
 * @see https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
export async function startTracing(env: NodeJS.ProcessEnv, version: string): Promise<Tracing> {
  const endpoint = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || env.OTEL_EXPORTER_OTLP_ENDPOINT
  if (!endpoint || env.OTEL_SDK_DISABLED === 'true' || env.OTEL_TRACES_EXPORTER === 'none') return OFF
  const [api, sdk, resources, { OTLPTraceExporter }] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/exporter-trace-otlp-proto'),
  ])
  const named = resources.resourceFromAttributes({ 'service.name': 'bellhop', 'service.version': version })
  const detected = resources.detectResources({ detectors: [resources.envDetector] })
  const provider = new sdk.TracerProvider({
    resource: named.merge(detected),
    sampler: samplerOf(env, sdk),
    spanProcessors: [new sdk.BatchSpanProcessor({ exporter: new OTLPTraceExporter() })],
  })
  const tracer = provider.getTracer('bellhop', version)
  return {
    record(traced) {
      const end = Date.now()
      const span = tracer.startSpan(
        traced.name,
        {
          kind: traced.kind === 'request' ? api.SpanKind.SERVER : api.SpanKind.CLIENT,
          startTime: end - traced.ms,
          attributes: traced.attributes,
        },
        parentOf(traced.traceparent, api),
      )
      if (traced.failed) span.setStatus({ code: api.SpanStatusCode.ERROR })
      span.end(end)
    },
    close: () => provider.shutdown(),
  }
}

function parentOf(traceparent: string | undefined, api: typeof import('@opentelemetry/api')) {
  const [, traceId, spanId, flags] = traceparent?.split('-') ?? []
  if (traceId === undefined || spanId === undefined) return api.ROOT_CONTEXT
  const traceFlags = Number.parseInt(flags ?? '0', 16) & 1
  return api.trace.setSpanContext(api.ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true })
}

/** OTEL_TRACES_SAMPLER and its argument; as the caller decided, and all without a caller's say, by default. */
function samplerOf(env: NodeJS.ProcessEnv, sdk: typeof import('@opentelemetry/sdk-trace')) {
  const name = env.OTEL_TRACES_SAMPLER || 'parentbased_always_on'
  const ratio = Number(env.OTEL_TRACES_SAMPLER_ARG || 1)
  const root = name.endsWith('always_off')
    ? new sdk.AlwaysOffSampler()
    : name.endsWith('traceidratio')
      ? new sdk.TraceIdRatioBasedSampler(ratio)
      : new sdk.AlwaysOnSampler()
  return name.startsWith('parentbased_') ? new sdk.ParentBasedSampler({ root }) : root
}
