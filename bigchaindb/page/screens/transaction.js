// A screen to come.

/** @param {import("../app.js").Context} context */
export async function screen({ title }) {
  title("Transaction");
}
