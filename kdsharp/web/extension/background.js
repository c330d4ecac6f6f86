// The button: puts the sharpener into the page, or takes it out again.

async function toggle(tab) {
  await chrome.scripting.executeScript({
    target: { tabId: tab.id, allFrames: true },
    files: ["content.js"],
  });
}

chrome.action.onClicked.addListener((tab) => {
  // Pages of the browser itself refuse, and have no calls.
  toggle(tab).catch((error) => console.warn(`not sharpened: ${error.message}`));
});
