/** `npm run budget`: measures and writes budgets.json. The difference is then looked at and committed on purpose. */
import { spawn } from 'node:child_process';

const child = spawn('npm', ['test', '--', 'test/contract/budget.test.ts'], {
  stdio: 'inherit',
  env: { ...process.env, CASTELLAN_BUDGET: 'write' },
});
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
});
