/** The page of a one-time link: opens it, shows the key for the app, sends password and code, shows the recovery codes. */

const element = (id) => document.getElementById(id);
const token = location.hash.slice(1);

/** What the answers call the faults of a password. */
const faults = {
  'too-short': 'It is too short.',
  'too-long': 'It is too long.',
  'too-common': 'It is too common.',
  'contains-identity': 'It contains your name or address.',
  'too-uniform': 'It has too few different characters.',
};

const problems = {
  'account.link-dead': 'This link is wrong, was used or has expired. Ask whoever gave it to you for a new one.',
  'mfa.code-refused': 'The code is not right. Wait for the next one, and check the clock of your device.',
  'mfa.not-enrolled': 'Open the link again.',
  'request.rate-limited': 'Too many attempts. Wait a minute and try again.',
};

/** @returns the answer; `body` is a problem (RFC 9457) where `ok` is false. */
async function post(path, body) {
  try {
    const response = await fetch(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { ok: response.ok, body: await response.json() };
  } catch {
    return { ok: false, body: { detail: 'The server cannot be reached. Try again.' } };
  }
}

function show(id, text) {
  element(id).textContent = text;
  element(id).hidden = text === '';
}

/** Marks a field as wrong; an empty text takes the mark away. */
function mark(field, text) {
  show(`${field}-error`, text);
  element(field).setAttribute('aria-invalid', String(text !== ''));
}

/** Says what went wrong where the person is taken to it. */
function tell({ code, detail, errors = [] }) {
  const weak = errors.filter(({ pointer }) => pointer === '/password');
  if (weak.length > 0) {
    mark('password', weak.map((one) => faults[one.code] ?? one.detail).join(' '));
    element('password').focus();
  } else if (code === 'mfa.code-refused' || errors.some(({ pointer }) => pointer === '/code')) {
    mark('code', problems['mfa.code-refused']);
    element('code').focus();
  } else {
    show('alert', problems[code] ?? detail ?? 'Something went wrong. Try again.');
    element('alert').focus();
  }
  if (code === 'account.link-dead') element('form').hidden = true;
}

async function open() {
  const { ok, body } = await post('/auth/account-links/open', { token });
  show('status', '');
  if (!ok) return tell(body);
  element('who').textContent = `${body.full_name}, ${body.email}`;
  element('username').value = body.email;
  element('tenant').textContent = `${body.tenant.name} (${body.tenant.domain})`;
  element('until').textContent = new Date(body.expires_at).toLocaleString();
  element('secret').textContent = body.totp.secret.replace(/(.{4})(?!$)/g, '$1 ');
  element('otpauth').href = body.totp.otpauth_uri;
  element('form').hidden = false;
  element('heading').focus();
}

async function complete(event) {
  event.preventDefault();
  show('alert', '');
  for (const field of ['password', 'repetition', 'code']) mark(field, '');
  const password = element('password').value;
  const code = element('code').value.replace(/\s/g, '');
  if (password === '') return tell({ errors: [{ pointer: '/password', detail: 'Choose a password.' }] });
  if (password !== element('repetition').value) {
    mark('repetition', 'The two passwords differ.');
    return element('repetition').focus();
  }
  element('send').disabled = true;
  show('status', 'One moment …');
  const { ok, body } = await post('/auth/account-links/complete', { token, password, code });
  element('send').disabled = false;
  show('status', '');
  if (!ok) return tell(body);
  // The link is spent: its token need not stay in the history.
  history.replaceState(null, '', location.pathname);
  element('form').remove();
  element('done-who').textContent = body.email;
  element('done-tenant').textContent = body.tenant_domain;
  for (const recoveryCode of body.recovery_codes) {
    const item = document.createElement('li');
    item.append(Object.assign(document.createElement('code'), { textContent: recoveryCode }));
    element('codes').append(item);
  }
  element('done').hidden = false;
  element('heading').focus();
}

element('form').addEventListener('submit', complete);
// Another link in the same tab changes the part behind # only, which loads nothing by itself.
addEventListener('hashchange', () => location.hash !== '' && location.reload());
await open();
