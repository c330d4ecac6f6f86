// Messages for the user. Errors other than `UserError` are bugs of the page.

export class UserError extends Error {}

/** Describes an error for the user. */
export function describe(error) {
  if (error instanceof UserError) return error.message;
  if (error instanceof RangeError || /memory|allocat/i.test(error?.message))
    return "This browser does not have enough memory: try a smaller picture.";
  return `Something went wrong (${error?.message ?? error}).`;
}

/** Formats a size in megapixels, such as "1.2". */
export const megapixels = (width, height) => ((width * height) / 1e6).toFixed(1);
