/** A server that takes mail, as SMTP_URL names it. */
export type SmtpServer = {
  readonly host: string;
  readonly port: number;
  /** TLS before anything else is said (smtps). */
  readonly isTlsFromStart: boolean;
  /** Otherwise STARTTLS: true if nothing may be sent without, false if only where it is offered. */
  readonly isTlsRequired: boolean;
  readonly auth: { readonly user: string; readonly pass: string } | undefined;
};

/** A mailbox without anything that has a meaning in a header or in SMTP. */
export function isMailAddress(text: string): boolean {
  return (
    text.length <= 254 &&
    /^[^\s@<>,;:"()[\]\\\p{C}]{1,64}@[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/iu.test(text)
  );
}

/** `name@example.com`, or `A name <name@example.com>`; undefined if it is neither. */
export function parseSender(
  text: string,
): { readonly name: string; readonly address: string } | undefined {
  const match = /^(?:([^<>"\\\p{C}]*)<([^<>]+)>|([^<>]+))$/u.exec(text.trim());
  const name = match?.[1]?.trim() ?? '';
  const address = (match?.[2] ?? match?.[3] ?? '').trim();
  return isMailAddress(address) ? { name, address } : undefined;
}

/**
 * Reads `smtp://[user:password@]host[:port][?starttls=required]` or `smtps://…`; undefined if it is
 * neither. Over smtp, a password makes TLS required, so that it is never sent in the clear, save to
 * this host.
 */
export function parseSmtpUrl(text: string): SmtpServer | undefined {
  if (!/^smtps?:\/\//.test(text) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const isTlsFromStart = url.protocol === 'smtps:';
  const query = url.search.replace(/^\?$/, '');
  const isAskedFor = query === '?starttls=required';
  if (host === '' || url.hash !== '' || !['', '/'].includes(url.pathname)) return undefined;
  if (query !== '' && !(isAskedFor && !isTlsFromStart)) return undefined;
  const [user, pass] = [decode(url.username), decode(url.password)];
  if (user === undefined || pass === undefined || (user === '') !== (pass === '')) return undefined;
  const isHere = host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
  return {
    host,
    port: url.port === '' ? (isTlsFromStart ? 465 : 587) : Number(url.port),
    isTlsFromStart,
    isTlsRequired: isAskedFor || (user !== '' && !isHere && !isTlsFromStart),
    auth: user === '' ? undefined : { user, pass },
  };
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
