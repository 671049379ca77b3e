/** A text as one word of a shell's command line. Control characters become `$'\xNN'`. */
export function quoteForShell(text: string): string {
  if (/^[\w./+@%:,=][\w./~+@%:,=-]*$/.test(text)) return text;
  if (!/[\u0000-\u001f\u007f-\u009f]/.test(text)) return `'${text.replaceAll("'", "'\\''")}'`;
  const escape = (byte: number): string =>
    byte < 0x20 || byte > 0x7e || byte === 0x27 || byte === 0x5c
      ? `\\x${byte.toString(16).padStart(2, '0')}`
      : String.fromCharCode(byte);
  return `$'${Array.from(Buffer.from(text), escape).join('')}'`;
}
