declare module 'swagger-ui-dist/absolute-path.js' {
  /** Folder that holds the viewer's files. The package's main entry would load the whole viewer to say so. */
  const absolutePath: () => string;
  export = absolutePath;
}

declare module 'pg/lib/utils.js' {
  const utils: {
    /** The form in which the driver sends a value: text, bytes or nothing. */
    readonly prepareValue: (value: unknown) => string | Buffer | null;
  };
  export = utils;
}
