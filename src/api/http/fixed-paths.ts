import type Router from '@koa/router';
import type { Middleware } from 'koa';
import type { RequestState } from './request-context.ts';

/**
 * Keeps a path without parameters to its own methods (T-5). A path with a parameter may fit it too, but `things/latest` is no
 * id of `things/:id`: without this, `PUT things/latest` would reach the route that changes a thing, and `Allow` would name the
 * methods of both. A method that the path does not have is answered here as the router does: OPTIONS with the methods, another
 * one as not allowed.
 *
 * @param router all routes, which are registered by now.
 */
export function keepFixedPaths(router: Router<RequestState>): Middleware<RequestState> {
  const methodsByPath = new Map<string, readonly string[]>();
  for (const { path, paramNames, methods } of router.stack) {
    if (typeof path !== 'string' || paramNames.length > 0) continue;
    const key = keyOf(path);
    methodsByPath.set(key, [...(methodsByPath.get(key) ?? []), ...methods]);
  }
  return async (ctx, next) => {
    const methods = methodsByPath.get(keyOf(ctx.path));
    if (methods === undefined || methods.includes(ctx.method)) {
      await next();
      return;
    }
    if (ctx.method === 'OPTIONS') {
      ctx.status = 200;
      ctx.body = '';
    } else {
      ctx.status = router.methods.includes(ctx.method) ? 405 : 501;
    }
    ctx.set('allow', methods.join(', '));
  };
}

/** Capitals and a slash at the end make no other path for the router. */
function keyOf(path: string): string {
  return path.toLowerCase().replace(/\/$/, '');
}
