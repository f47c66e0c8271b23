import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import type Router from '@koa/router';
import absolutePath from 'swagger-ui-dist/absolute-path.js';
import type { RequestState } from './request-context.ts';

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Castellan API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;

/** In a file of its own, so that the content security policy needs no inline scripts. */
const start = "SwaggerUIBundle({ url: '/openapi.json', dom_id: '#docs', deepLinking: true, persistAuthorization: false });\n";

/** Serves the interactive documentation from this process, without any outside host. */
export function mountDocs(router: Router<RequestState>): void {
  router.get('/docs', (ctx) => {
    ctx.state.routePath = '/docs';
    // The viewer sets styles on elements; scripts stay restricted to our own files.
    ctx.set('content-security-policy', "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:");
    ctx.type = 'text/html';
    ctx.body = page;
  });
  router.get('/docs/start.js', (ctx) => {
    ctx.state.routePath = '/docs';
    ctx.type = 'text/javascript';
    ctx.body = start;
  });
  for (const [file, type] of [
    ['swagger-ui.css', 'text/css'],
    ['swagger-ui-bundle.js', 'text/javascript'],
  ] as const) {
    router.get(`/docs/${file}`, (ctx) => {
      ctx.state.routePath = '/docs';
      ctx.set('cache-control', 'public, max-age=3600');
      ctx.type = type;
      ctx.body = createReadStream(join(absolutePath(), file));
    });
  }
}
