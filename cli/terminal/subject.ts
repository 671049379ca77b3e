/** Says something of its field without naming it. */
const isPredicate = /^(?:is|must|has|applies|cannot be) /;

/**
 * A message with what it is about: `--email is missing`, `--limit: "x" is not …`. One that is a
 * sentence by itself stays as it is.
 */
export function addSubject(subject: string, message: string): string {
  if (isPredicate.test(message)) return `${subject} ${message}`;
  return message.startsWith('"') ? `${subject}: ${message}` : message;
}

/** How people know a field: as the option of these that gives it, or else in words. */
export function nameField(field: string, flags: readonly string[]): string {
  const flag = `--${field.replaceAll('_', '-')}`;
  return flags.includes(flag) ? flag : field.replaceAll('_', ' ');
}
