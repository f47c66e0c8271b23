import { z } from 'zod';
import { can } from '../../domain/identity/access.ts';
import { readIsolated } from '../../platform/database/read.ts';
import type { IsolatedResult } from '../../platform/database/read.ts';
import { timestamp } from '../../platform/value-schemas.ts';
import type { DashboardSection, SectionContext } from './dashboard-section.ts';
import { dashboardSections } from './dashboard-sections.schemas.ts';
import type { ApiDeps } from '../deps.ts';
import { route } from '../http/route.ts';

/** A section whose query takes longer is `unavailable`; the others are not affected. */
const sectionTimeoutMs = 1_500;

/** What every section has besides its data. */
const frame = {
  state: z
    .enum(['ok', 'unavailable', 'forbidden'])
    .describe('`unavailable`: it could not be read; `forbidden`: the caller lacks the permission'),
  link: z.string().describe('Link to the details'),
  as_of: timestamp.nullable().describe('Time of the data; null when there is none'),
  age_seconds: z.int().min(0).nullable(),
};

/** The schemas of all sections by key. */
const sectionSchemas = Object.fromEntries(
  dashboardSections.map(({ key, data }) => [key, z.object({ ...frame, data: data.nullable() })]),
);

const getAdminDashboard = route({
  operationId: 'getAdminDashboard',
  method: 'get',
  path: '/admin/dashboard',
  tag: 'Dashboard',
  summary: 'Overview of all areas',
  description:
    'One section for each area, with a link to the details and the age of the data. A section that cannot be read is ' +
    'marked as such and does not affect the others.',
  permission: 'dashboard:read',
  gate: 'none',
  responses: {
    200: z.object({ generated_at: timestamp, sections: z.object(sectionSchemas) }).meta({ id: 'AdminDashboard' }),
  },
  handler: async ({ actor, deps, scope }) => {
    const now = deps.now();
    const context: SectionContext = { actor, now, at: new Date(now).toISOString() };
    const sections: readonly DashboardSection[] = dashboardSections;
    const allowed = sections.filter(({ permission }) => can(actor, permission).allowed);
    const queries = allowed.map((section) => section.query(context));
    const results = await readIsolated<object>(deps.db, scope, queries, sectionTimeoutMs);
    const resultOf = new Map(allowed.map(({ key }, index) => [key, results[index]]));
    const presented = sections.map(
      (section) => [section.key, presentSection(deps, section, resultOf.get(section.key), context)] as const,
    );
    return { generated_at: context.at, sections: Object.fromEntries(presented) };
  },
});

function presentSection(
  { log }: ApiDeps,
  section: DashboardSection,
  result: IsolatedResult<object> | undefined,
  context: SectionContext,
) {
  const nothing = { link: section.link, as_of: null, age_seconds: null, data: null };
  if (result === undefined) return { ...nothing, state: 'forbidden' };
  if ('error' in result) {
    log.error({ err: result.error, section: section.key }, 'a section of the dashboard could not be read');
    return { ...nothing, state: 'unavailable' };
  }
  const { as_of, data } = section.present(result.rows, context);
  const age_seconds = as_of === null ? null : Math.max(0, Math.floor((context.now - Date.parse(as_of)) / 1000));
  return { state: 'ok', link: section.link, as_of, age_seconds, data };
}

/** The dashboard (S2-2). */
export const dashboardRoutes = [getAdminDashboard];
