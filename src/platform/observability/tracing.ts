import { SpanKind, SpanStatusCode, context, defaultTextMapGetter, propagation, trace } from '@opentelemetry/api';
import type { Span, Tracer } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { ExportResultCode, W3CTraceContextPropagator } from '@opentelemetry/core';
import { Resource } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  NoopSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base';
import type { SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { Env } from '../env.ts';

/** Tracing of this process. */
export interface Tracing {
  readonly tracer: Tracer;
  /** Takes finished spans, those of workflows too, which cannot reach the network themselves. */
  readonly processor: SpanProcessor;
  /** The service that the spans describe. */
  readonly resource: Resource;
  /** Exports the buffered spans, for use before the process ends. */
  sendPending(): Promise<void>;
}

type TracingSettings = Pick<Env, 'OTEL_EXPORTER_OTLP_ENDPOINT' | 'TRACE_SAMPLE_RATIO'>;

let running: Tracing | undefined;

/**
 * Sets up OpenTelemetry for this process; later calls return the same. Every request belongs to a trace, the caller's (W3C
 * traceparent) or its own; its spans are recorded when the caller's trace is, and for the share `TRACE_SAMPLE_RATIO` of the
 * others. They are exported by OTLP over HTTP when `OTEL_EXPORTER_OTLP_ENDPOINT` is set.
 *
 * @param processor takes the finished spans instead of the exporter.
 */
export function startTracing(env: TracingSettings, serviceName: string, processor?: SpanProcessor): Tracing {
  if (running !== undefined) return running;
  const resource = new Resource({ 'service.name': serviceName });
  const spanProcessor = processor ?? processorOf(env);
  const provider = new BasicTracerProvider({
    resource,
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(env.TRACE_SAMPLE_RATIO) }),
    spanProcessors: [spanProcessor],
  });
  provider.register({
    contextManager: new AsyncLocalStorageContextManager(),
    propagator: new W3CTraceContextPropagator(),
  });
  running = {
    tracer: provider.getTracer('castellan'),
    processor: spanProcessor,
    resource,
    // An unavailable collector must not keep the process from ending.
    sendPending: () => provider.forceFlush().catch(() => undefined),
  };
  return running;
}

function processorOf(env: TracingSettings): SpanProcessor {
  if (env.OTEL_EXPORTER_OTLP_ENDPOINT === undefined) return new NoopSpanProcessor();
  const url = `${env.OTEL_EXPORTER_OTLP_ENDPOINT.replace(/\/$/, '')}/v1/traces`;
  return new BatchSpanProcessor(otlpExporter(url));
}

/** The exporter of OTLP over HTTP. It is loaded with the first spans: without a collector no process needs its hundred modules. */
function otlpExporter(url: string): SpanExporter {
  let loading: Promise<SpanExporter> | undefined;
  const load = async () => {
    const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
    return new OTLPTraceExporter({ url });
  };
  return {
    export(spans, done) {
      (loading ??= load()).then(
        (exporter) => exporter.export(spans, done),
        (error: unknown) => done({ code: ExportResultCode.FAILED, error: error instanceof Error ? error : new Error(String(error)) }),
      );
    },
    forceFlush: async () => (await loading)?.forceFlush?.(),
    shutdown: async () => (await loading)?.shutdown(),
  };
}

/** The id of the active trace, to be stored with what was done in it; null outside of a trace. */
export function activeTraceId(): string | null {
  return trace.getActiveSpan()?.spanContext().traceId ?? null;
}

/** The attributes of a request span that are known when the request is over. */
interface RequestOutcome {
  readonly method: string;
  /** The path pattern of the route. Not the path, because its ids would make every span name unique. */
  readonly route: string;
  readonly status: number;
}

/**
 * Runs a request inside a server span, as a child of the caller's span when the request has a traceparent.
 *
 * @param headers those of the request, for `traceparent` and `tracestate`.
 * @param outcome called when the work is over.
 */
export async function traceRequest(
  { tracer }: Pick<Tracing, 'tracer'>,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  work: () => Promise<void>,
  outcome: () => RequestOutcome,
): Promise<void> {
  const active = context.active();
  const parent =
    headers['traceparent'] === undefined ? active : propagation.extract(active, headers, defaultTextMapGetter);
  const span = tracer.startSpan('HTTP', { kind: SpanKind.SERVER }, parent);
  try {
    await context.with(trace.setSpan(parent, span), work);
  } finally {
    if (span.isRecording()) describe(span, outcome());
    span.end();
  }
}

function describe(span: Span, { method, route, status }: RequestOutcome): void {
  span.updateName(`${method} ${route}`);
  span.setAttributes({ 'http.request.method': method, 'http.route': route, 'http.response.status_code': status });
  if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
}
