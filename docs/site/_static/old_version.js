// Show a line on the pages of an older version. The folder beside this one's root knows which version is the newest.
"use strict";
const root = document.documentElement.dataset.content_root;
const script = document.createElement("script");
script.src = `${root}../versions.js`;
script.addEventListener("load", () => {
    const { newest } = window.bigchaindbVersions;
    const shown = document.querySelector("meta[name='bigchaindb-version']").content;
    if (shown !== newest) {
        const line = document.createElement("p");
        const link = document.createElement("a");
        link.href = `${root}../latest/index.html`;
        link.textContent = `the pages of version ${newest}`;
        line.append(`This page describes version ${shown}. Read `, link, ".");
        line.className = "old-version";
        document.querySelector("article").prepend(line);
    }
});
document.head.append(script);
