import Koa from 'koa';

/** The minimum that a Koa server can do for a conditional read: compare one header with one tag and answer 304. */
const etag = process.env.BENCH_ETAG ?? '"1"';
const app = new Koa();

app.use((context) => {
  if (context.path === '/ready') {
    context.body = 'ready';
    return;
  }
  context.set('etag', etag);
  if (context.get('if-none-match') === etag) {
    context.status = 304;
    return;
  }
  context.body = { version: 1, document: { limit: 1 } };
});

app.listen(Number(process.env.PORT), '127.0.0.1');
