# Writes the files of this folder as strings of a C++ source:
#   cmake -DTO=report_assets.cpp -P embed.cmake
set(text "#include \"experiments/report_assets.h\"\n\nnamespace nestgrad {\n\n")
foreach(pair kReportPage=page.html kReportStyle=page.css kReportScript=page.js
        kLibraryStyle=uPlot.min.css kLibraryScript=uPlot.iife.min.js)
  string(REPLACE "=" ";" pair ${pair})
  list(GET pair 0 name)
  list(GET pair 1 file)
  file(READ ${CMAKE_CURRENT_LIST_DIR}/${file} content)
  string(APPEND text
         "const char* const ${name} = R\"asset(${content})asset\";\n\n")
endforeach()
string(APPEND text "}  // namespace nestgrad\n")
file(WRITE ${TO} "${text}")
