#pragma once

namespace nestgrad {

// The files of experiments/report, which the build puts into the library.
extern const char* const kReportPage;     // page.html
extern const char* const kReportStyle;    // page.css
extern const char* const kReportScript;   // page.js
extern const char* const kLibraryStyle;   // uPlot.min.css
extern const char* const kLibraryScript;  // uPlot.iife.min.js

}  // namespace nestgrad
