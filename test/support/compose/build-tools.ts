/**
 * Builds the Temporal server and the schema tool of docker-compose.yml into the cache, before the tests, which they would
 * slow down.
 *
 * Usage: `npm run compose:tools`
 */
import { cacheFolderPath } from '../../../src/dev/data-folder.ts';
import { errorMessage } from '../../../src/dev/startup-error.ts';
import { imageVersion, readComposeFile, serviceOf } from './compose-file.ts';
import { buildTemporalServerTools } from './temporal-server-tools.ts';

try {
  const version = imageVersion(serviceOf(readComposeFile(), 'temporal'));
  const { programs } = await buildTemporalServerTools(version, cacheFolderPath(process.env));
  process.stdout.write(`Temporal server ${version} and its schema tool: ${programs}\n`);
} catch (error) {
  process.stderr.write(`${errorMessage(error)}\n`);
  process.exitCode = 1;
}
