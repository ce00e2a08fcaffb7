#include <map>
#include <string>
#include <vector>

class index
{
  public:
    void add(const std::string &line, int number)
    {
        std::string word;
        for (char c : line + " ") {
            if (c != ' ') {
                word += c;
            } else if (!word.empty()) {
                where[word].push_back(number);
                word.clear();
            }
        }
    }
    std::vector<std::string> common(std::size_t least) const
    {
        std::vector<std::string> result;
        for (const auto &[word, lines] : where)
            if (lines.size() >= least) result.push_back(word);
        return result;
    }

  private:
    std::map<std::string, std::vector<int>> where;
};

std::vector<std::string> common_words(const std::vector<std::string> &lines)
{
    index all;
    int number = 0;
    for (const auto &line : lines) all.add(line, ++number);
    return all.common(3);
}
