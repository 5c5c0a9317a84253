/** How often a spec does something again: `npm run test:long` wants the long form. */
export const rounds = (usual: number, long: number): number => (process.env['LONG'] === '1' ? long : usual);
