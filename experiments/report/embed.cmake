# Writes files of experiments/ as strings of a C++ source:
#   cmake -DTO=assets.cpp "-DFILES=report/page.html;..." -P embed.cmake
set(text "#include \"experiments/report/assets.h\"\n
namespace nestgrad {\n
const std::map<std::string, std::string>& assets() {
  static const std::map<std::string, std::string> all{\n")
foreach(name ${FILES})
  file(READ ${CMAKE_CURRENT_LIST_DIR}/../${name} content)
  string(APPEND text "      {\"${name}\", R\"asset(${content})asset\"},\n")
endforeach()
string(APPEND text "  };\n  return all;\n}\n\n}  // namespace nestgrad\n")
file(WRITE ${TO} "${text}")
