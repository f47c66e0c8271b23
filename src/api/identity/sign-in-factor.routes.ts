import { z } from 'zod';
import { passwordInput } from '../../platform/value-schemas.ts';
import { notifyOwner } from '../../services/identity/account-notification.service.ts';
import { factorOwner } from '../../services/identity/sign-in/second-factor.service.ts';
import { assertFactorAvailable, setSignInFactor, signInFactorOf } from '../../services/identity/sign-in/sign-in-factor.service.ts';
import { assertPassword } from '../../services/identity/sign-in/totp-enrolment.service.ts';
import { route } from '../http/route.ts';

const signInFactor = z
  .object({ sign_in_requires_totp: z.boolean(), has_authenticator_app: z.boolean() })
  .meta({ id: 'SignInFactor' });

const getSignInFactor = route({
  operationId: 'getSignInFactor',
  method: 'get',
  path: '/users/me/sign-in-factor',
  aliases: ['/api/v1/users/me/sign-in-factor'],
  tag: 'profile',
  summary: 'Show whether password sign-in also requires a code',
  permission: 'authenticated',
  gate: 'none',
  responses: { 200: signInFactor },
  handler: ({ actor, deps }) => signInFactorOf(deps, factorOwner(actor)),
});

const updateSignInFactor = route({
  operationId: 'updateSignInFactor',
  method: 'put',
  path: '/users/me/sign-in-factor',
  aliases: ['/api/v1/users/me/sign-in-factor'],
  tag: 'profile',
  summary: 'Require a code of the authenticator app at sign-in, or stop requiring it',
  description: 'Requires the password again, so that a stolen session cannot weaken the sign-in.',
  permission: 'authenticated',
  gate: 'none',
  body: z
    .strictObject({ sign_in_requires_totp: z.boolean(), password: passwordInput.optional() })
    .meta({ id: 'SignInFactorUpdate' }),
  responses: { 200: signInFactor },
  problems: ['auth.password-refused', 'mfa.not-enrolled', 'request.rate-limited'],
  handler: async ({ actor, body, deps, change }) => {
    const owner = factorOwner(actor);
    const { sign_in_requires_totp, password } = body;
    await assertPassword(deps, owner, password);
    const has_authenticator_app = await assertFactorAvailable(deps, owner, sign_in_requires_totp);
    return change(async (tx) => {
      await setSignInFactor(tx, owner.user_id, sign_in_requires_totp);
      tx.after(() => notifyOwner(deps, owner, sign_in_requires_totp ? 'sign-in-factor-required' : 'sign-in-factor-dropped'));
      return { sign_in_requires_totp, has_authenticator_app };
    });
  },
});

export const signInFactorRoutes = [getSignInFactor, updateSignInFactor];
