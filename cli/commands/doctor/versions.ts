import type {
  SchemaStatus,
  ServiceStatus,
} from '../../../protos/gen/digitalwallet/common/v1/status.ts';
import { ok, problem, warning, type Finding, type ServiceName } from './finding.ts';

/** Whether this client and the services fit: the same major version; before 1.0, the same minor. */
export function compareVersions(
  own: string,
  statuses: readonly (readonly [ServiceName, Pick<ServiceStatus, 'version'>])[],
): readonly Finding[] {
  if (statuses.length === 0) return [];
  const found = [...new Set(statuses.map(([, { version }]) => version))];
  const details = Object.fromEntries([
    ['client', own],
    ...statuses.map(([name, { version }]) => [name, version]),
  ]) as Record<string, string>;
  const shown = found.join(', ');
  const other = found.find((version) => lineOf(version) !== lineOf(own));
  if (other !== undefined) {
    const fix =
      'install the same version of wallet and walletd: npm install --global digital-wallet';
    return [problem('versions', `wallet ${own} does not fit walletd ${other}`, { fix, details })];
  }
  if (found.length > 1) {
    const message = `the services have different versions: ${shown}`;
    return [warning('versions', message, { fix: 'finish the update of walletd', details })];
  }
  return [ok('versions', `wallet ${own}, walletd ${shown}: they fit`, { details })];
}

/** `1` for 1.4.2, `0.3` for 0.3.1. */
function lineOf(version: string): string {
  const [major = '', minor = ''] = version.split('.');
  return major === '0' ? `0.${minor}` : major;
}

/** Whether the database of a service has all migrations of its program. */
export function describeSchema(service: ServiceName, schema: SchemaStatus | undefined): Finding {
  const check = `${service} schema`;
  const { expectedVersion = 0, appliedVersion } = schema ?? {};
  const details = { expected: expectedVersion, applied: appliedVersion ?? null };
  if (appliedVersion === undefined) {
    const fix = 'see that the server of the database runs (log of walletd)';
    return problem(check, 'unknown: the database does not answer', { fix, details });
  }
  if (appliedVersion === expectedVersion) {
    return ok(check, `migration ${appliedVersion} of ${expectedVersion} is applied`, { details });
  }
  const message = `migration ${appliedVersion} is applied, and walletd has ${expectedVersion}`;
  return appliedVersion < expectedVersion
    ? problem(check, message, { fix: 'walletd migrate', details })
    : warning(check, message, { fix: 'update this walletd', details });
}
