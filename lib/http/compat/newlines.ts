/**
 * A form that was printed with one parameter a line. Raw line ends are never part of URL-encoded data, so nothing valid is changed;
 * those that are percent-encoded belong to a value and stay.
 */
export function withoutNewlines(form: string): string {
  return form.replace(/[\r\n]/g, '');
}
