/** Packs what `npm run build` has made into this folder, and gives the path of the tarball. */
export declare function packInto(folder: string): Promise<string>;
