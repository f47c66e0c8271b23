import { dataOf } from './http.ts';
import type { BodyOf, Http } from './http.ts';

/** Who may do what. All throw `ProblemError`. */
export type AccessApi = ReturnType<typeof createAccessApi>;

export function createAccessApi(http: Http) {
  return {
    /** Whether somebody may do something, also with a certain campaign or contact, and by which rule. */
    checkPermission: (body: BodyOf<'checkPermission'>) => dataOf(http.POST('/rbac/check-permission', { body })),

    /** One role with what it gives. */
    getRole: (id: string) => dataOf(http.GET('/admin/roles/{id}', { params: { path: { id } } })),
  };
}
