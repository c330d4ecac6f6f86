// The extension's button: adds the sharpener to the page, or removes it.

async function toggle(tab) {
  await chrome.scripting.executeScript({
    target: { tabId: tab.id, allFrames: true },
    files: ["content.js"],
  });
}

chrome.action.onClicked.addListener((tab) => {
  // The browser's own pages do not allow scripts.
  toggle(tab).catch((error) => console.warn(`not sharpened: ${error.message}`));
});
